"""Views: the latest value per key of a compacted topic, answered from a store that a thread keeps up to date."""
