"""Files from Maven's repository: the lock that names them and the fetcher that gets them into the cache."""
