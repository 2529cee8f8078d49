"""Conversations from other programs' exports: ``read_export`` in ``exports.py`` reads any that is known.

One file a program, each a reader of that program's fields and nothing else; ``trees.py`` makes of what they find the
plain conversations that ``storage`` takes in. Nothing here writes, and nothing is fetched.
"""
