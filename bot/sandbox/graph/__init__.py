"""The pretend Microsoft Graph: requests in, true bodies and codes out, over the state of a World."""
