"""The Streamlit page of the rhyme: its steps, what runs behind them. Knows no layout of the page and no backend."""
