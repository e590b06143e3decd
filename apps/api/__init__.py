"""The routes that programs use: `/v1` in OpenAI's shape, `/runtime` for second processes of the same person."""
