"""Reading affect from a face: the multi-task network, its stored weights, and the reader.

Import the module that is needed (``shared.affect.network``, ``.weights``, ``.reader``): importing
this package loads nothing heavy, so command lines start fast.
"""
