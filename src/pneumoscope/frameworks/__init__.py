"""Other frameworks than PyTorch: the same networks learned in Keras, and Keras models that people bring.

The only room that imports TensorFlow and Keras, and only when something is asked of them.
"""
