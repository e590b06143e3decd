"""The pieces of the Streamlit page that compares models."""
