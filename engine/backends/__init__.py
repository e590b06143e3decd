"""One file per backend; imported only when a model of theirs is opened."""
