"""The architectures, one file each: ids in, features out. `core/network.py` puts them to use.

Pure Keras 3: nothing here knows TensorFlow, so any backend of Keras can train them.
"""
