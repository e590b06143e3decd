"""The context-window experiment of the course sheet: a numbered rhyme grows until the model loses it."""
