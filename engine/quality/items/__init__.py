"""Our own questions, one JSONL file per language (engine.quality.questions)."""
