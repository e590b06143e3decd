"""The Streamlit page of models: registry, orchestration, interface. Knows no layout, no file format and no protocol."""
