"""The Streamlit page of quality: forms, the measurement under way, what is kept. Knows no layout and no measurement."""
