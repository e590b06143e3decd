"""What both interfaces share: sections, controls, wording and colours. Imports neither Streamlit nor Gradio."""
