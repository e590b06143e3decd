"""The Streamlit page of documents: collections, answers with their passages. Knows no layout of the page."""
