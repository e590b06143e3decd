"""What goes into the model's window when not everything fits, decided and recorded before anything is sent."""

from engine.window.policies import Summarize, plan, reserved
from engine.window.summary import summarizer
from engine.window.values import GAP, POLICIES, Plan, Policy, Segments

__all__ = ["GAP", "POLICIES", "Plan", "Policy", "Segments", "Summarize", "plan", "reserved", "summarizer"]
