"""Choose a provider and survive its failures."""
