"""The paper's experiments as one command: what is measured, how it is drawn, and what was promised."""
