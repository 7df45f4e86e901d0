"""One KFP component a file: a typed interface, a docstring, and a body of one import and one call.

Authoring code: importable from a checkout alone. What others compose with is its compiled form (`tuneline.components`).
"""
