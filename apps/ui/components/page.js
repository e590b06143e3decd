// What Streamlit leaves as it is: the language of the page, and on a phone the left column over the section just chosen.
export default ({ data }) => {
  document.documentElement.lang = data.lang;
  const before = window.atelierSection;
  window.atelierSection = data.section;
  if (before !== undefined && before !== data.section && window.matchMedia("(max-width: 767px)").matches) {
    document.querySelector("[data-testid=stSidebarCollapseButton] button")?.click();
  }
};
