"""A schema registry that speaks Confluent's API: questions to it that the backends and the commands share."""
