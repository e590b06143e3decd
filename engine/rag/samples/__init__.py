"""Our own documents and questions (engine.rag.questions.samples)."""
