"""The architectures, one file each: ids in, features out. `assembly` builds models of them.

Pure Keras 3: nothing here knows TensorFlow, so any backend of Keras can train them.
"""
