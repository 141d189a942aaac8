//! Pages that hold together: links lead somewhere, and every decision is found.

use std::path::Path;

use crate::fault::Faults;
use crate::tree::{self, File};

const DECISIONS: &str = "docs/adr/";

#[test]
fn every_relative_link_leads_somewhere() {
    let mut faults = Faults::default();
    for file in tree::ending(".md") {
        for (line, link) in links(file) {
            if !leads_somewhere(file, link) {
                faults.add(&file.path, line, format!("`{link}` leads nowhere; correct it or take it away"));
            }
        }
    }
    faults.none();
}

/// The targets of links, with their lines, code blocks apart.
fn links(file: &'static File) -> Vec<(usize, &'static str)> {
    let mut fenced = false;
    let mut links = Vec::new();
    for (line, text) in file.lines() {
        if text.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if !fenced {
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            links.extend(targets.map(|target| (line, target)));
        }
    }
    links
}

fn leads_somewhere(file: &File, link: &str) -> bool {
    if ["https://", "http://", "mailto:"].iter().any(|scheme| link.starts_with(scheme)) {
        return true;
    }
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let target = if path.is_empty() { file.path.clone() } else { resolve(file.folder(), path) };
    let there = tree::root().join(Path::new(&target)).exists();
    let page = tree::files().iter().find(|other| other.path == target);
    there && heading.is_none_or(|heading| page.is_some_and(|page| headings(page).any(|name| name == heading)))
}

fn resolve(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Headings as links name them.
fn headings(page: &'static File) -> impl Iterator<Item = String> {
    page.lines().filter(|(_, text)| text.starts_with('#')).map(|(_, text)| {
        let title = text.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[test]
fn every_decision_is_numbered_complete_and_listed() {
    let mut faults = Faults::default();
    let index = &tree::file("docs/adr/README.md").text;
    let decisions =
        tree::ending(".md").filter(|file| file.path.starts_with(DECISIONS) && file.name() != "README.md");
    for (at, file) in decisions.enumerate() {
        let number = format!("{:04}", at + 1);
        if !file.name().starts_with(&format!("{number}-")) {
            faults.add(
                &file.path,
                1,
                format!("its number must be {number}: one after the other, never reused"),
            );
        }
        if !file.text.starts_with(&format!("# {number}: ")) {
            faults.add(&file.path, 1, format!("begin with `# {number}: ` and the decision in one line"));
        }
        for section in ["## Context", "## Decision", "## Consequences"] {
            if !file.lines().any(|(_, text)| text == section) {
                faults.add(&file.path, 1, format!("it has no `{section}`"));
            }
        }
        if !index.contains(&format!("]({})", file.name())) {
            faults.add("docs/adr/README.md", 1, format!("list {}", file.name()));
        }
    }
    faults.none();
}
