"""Films and their evidence as pictures for a browser. What the network sees is made by ``preprocess`` alone."""
