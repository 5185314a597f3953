"""The video_folder data set."""
