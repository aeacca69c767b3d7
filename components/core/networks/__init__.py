"""Network architectures, one file each: ids in, features out; `assembly` adds the output layers.

The architectures use Keras 3 only and do not import TensorFlow.
"""
