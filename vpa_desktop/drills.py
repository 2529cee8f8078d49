"""What a fire drill tells while it runs, as values: who failed, who answered, how the breakers stand."""
