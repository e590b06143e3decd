"""The interfaces of Atelier LLM."""
