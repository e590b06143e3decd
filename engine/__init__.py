"""The engine of Atelier LLM. Knows no interface."""
