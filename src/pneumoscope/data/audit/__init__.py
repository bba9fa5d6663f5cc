"""What is wrong with a data set, asked before anybody trains on it."""
