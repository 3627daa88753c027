//! Links between the documents are valid.

use super::files::{pages, path, text};
use std::{collections::BTreeSet, path::Path};

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    for page in pages() {
        for link in links(&text(&page)) {
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => path(&page),
                file => path(&page).with_file_name("").join(file),
            };
            assert!(target.exists(), "{page}: {link}");
            if !place.is_empty() {
                assert!(places(&target).contains(place), "{page}: {link}");
            }
        }
    }
}

#[test]
fn every_document_is_in_the_index() {
    let index = links(&text("docs/README.md"));
    for entry in std::fs::read_dir(path("docs")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(
            name == "README.md" || index.contains(&name),
            "docs/README.md does not name {name}"
        );
    }
}

/// Returns the targets of the page's links, except those to other sites.
fn links(page: &str) -> Vec<String> {
    page.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link.to_owned())
        .filter(|link| !link.contains("://"))
        .collect()
}

/// Returns the anchors of a page.
fn places(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = text
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim_start())
        .map(|heading| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let kept: String = heading.to_lowercase().chars().filter(kept).collect();
            kept.replace(' ', "-")
        });
    let named = text.split("<a id=\"").skip(1);
    let named = named.filter_map(|rest| rest.split_once('"').map(|(name, _)| name.to_owned()));
    headings.chain(named).collect()
}
