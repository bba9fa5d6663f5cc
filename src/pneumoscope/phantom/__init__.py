"""The digital chest phantom: synthetic chest radiographs of nobody, with everything about them known."""
