"""Documents of a person, found again: split, embedded, stored, searched, answered from, measured.
Knows no interface.
"""
