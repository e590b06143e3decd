"""The counting rhyme: how much of what it read a model can still say. Knows no interface and prints nothing."""
