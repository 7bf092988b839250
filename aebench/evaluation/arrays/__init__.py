"""Arrays that the metrics read, with one file per question, and the algorithms that compute them."""
