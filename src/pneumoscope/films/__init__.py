"""From a file, bytes, an image or an array to a ``Radiograph``, or to one clear reason why not."""
