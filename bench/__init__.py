"""Measurements in pairs: what is compared runs in one start, in alternation, and is given as ratios."""
