"""Commands about versions: the gate, promotion, the way back."""
