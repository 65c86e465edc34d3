// Before the search runs: what it needs from the page, and nothing that fails when the book is opened from a disk.
"use strict";
var SPHINX_HIGHLIGHT_ENABLED = false;
// A page opened as a file may not read its neighbours, so results come without an excerpt there.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
document.addEventListener("DOMContentLoaded", function () {
  var words = new URLSearchParams(location.search).get("q");
  var box = document.getElementById("q");
  if (words) box.value = words;
  else box.focus();
});
