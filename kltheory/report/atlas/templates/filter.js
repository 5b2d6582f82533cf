"use strict";
(() => {
  const form = document.getElementById("search");
  const input = document.getElementById("words");
  const shown = document.getElementById("shown");
  const boxes = [...form.querySelectorAll("input[name=verdict]")];
  const articles = [...document.querySelectorAll("article")];
  const text = new Map(articles.map((a) => [a, (a.id + " " + a.textContent).toLowerCase()]));
  const numbers = new Map(articles.map((a) => [a, [...a.querySelectorAll(".number")].map((n) => n.textContent)]));

  function matches(article, words) {
    return words.every((w) => (/^\d+$/.test(w) ? numbers.get(article).includes(w) : text.get(article).includes(w)));
  }

  function filter() {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(boxes.filter((b) => b.checked).map((b) => b.value));
    let count = 0;
    for (const article of articles) {
      const keep = verdicts.has(article.dataset.verdict) && matches(article, words);
      article.hidden = !keep;
      count += keep;
    }
    for (const section of document.querySelectorAll("section.theorems")) {
      section.hidden = !section.querySelector("article:not([hidden])");
    }
    shown.textContent = `${count} of ${articles.length} theorems`;
  }

  function reveal() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.closest("[hidden]")) {
      input.value = "";
      boxes.forEach((b) => { b.checked = true; });
      filter();
      target.scrollIntoView();
    }
  }

  // what is printed is opened first
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((d) => { d.open = false; }));
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("input", filter);
  addEventListener("hashchange", reveal);
  form.hidden = false;
  filter();
})();
