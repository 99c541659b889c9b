"""Release: a thing that needs one to four people's steps before it goes out."""
