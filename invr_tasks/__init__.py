"""Tasks that ask a fitted clip for something: the plugin contract, the registry, the runner, the scores."""
