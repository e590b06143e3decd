/* Marks of an answer that open their passage: `[n]` is a link to #passage-n wherever the page has one. */

function citationLinks(choose) {
  const chosen = (event) => {
    const link = event.target instanceof Element && event.target.closest('a[href^="#passage-"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    choose(Number(link.getAttribute("href").slice("#passage-".length)));
  };
  document.addEventListener("click", chosen);
  return () => document.removeEventListener("click", chosen);
}
