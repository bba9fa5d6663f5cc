"""The layouts of data sets that can be scanned, one a file; ``registry`` has the table of them."""
