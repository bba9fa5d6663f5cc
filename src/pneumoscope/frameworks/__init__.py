"""Other frameworks than PyTorch: the same networks learned in Keras, and Keras models that people bring."""
