"""What both servers, the agent's and the platform's, put around their routes."""
