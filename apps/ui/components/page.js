// What Streamlit leaves as it is: the language of the page, on a phone the left column over the section just chosen, and
// a panel that Escape no longer closes once its part that had the focus was drawn anew.
const closed = (event) => {
  if (event.key !== "Escape" || event.target !== document.body) return;
  document.querySelector("[data-testid=stDialog] button[aria-label=Close]")?.click();
};

export default ({ data }) => {
  document.documentElement.lang = data.lang;
  if (!window.atelierEscape) document.addEventListener("keydown", closed);
  window.atelierEscape = true;
  const before = window.atelierSection;
  window.atelierSection = data.section;
  if (before !== undefined && before !== data.section && window.matchMedia("(max-width: 767px)").matches) {
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  }
};
