"""The transformer decoder of the GPT and Llama families and its parts."""
