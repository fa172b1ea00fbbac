//! The commented default file and the reference, both from the table of keys.

use super::keys::{KEYS, SECTIONS};
use std::fmt::Write as _;

/// Where the commented default file stands in the repository.
pub const DEFAULT_FILE_PATH: &str = "deploy/icpgate.toml";

/// Where the reference stands in the repository.
pub const REFERENCE_PATH: &str = "docs/CONFIGURATION.md";

/// The default file: every key, commented out, with its default and what it is for.
#[must_use]
pub fn default_file() -> String {
    let mut out = String::from(
        "# Configuration of icpgate. Every key is optional; those commented out show their\n\
         # defaults. Environment variables (ICPGATE_SECTION__KEY) and flags win over this file.\n",
    );
    for (section, about) in SECTIONS {
        out.push('\n');
        comment(&mut out, about);
        let _ = writeln!(out, "[{section}]");
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let name = key.name.rsplit_once('.').map_or(key.name, |(_, name)| name);
            comment(&mut out, key.description);
            comment(&mut out, &[&format!("Give {}.", key.expected)]);
            let value = if key.bare {
                key.default.to_owned()
            } else {
                format!("\"{}\"", key.default)
            };
            let _ = writeln!(out, "#{name} = {value}");
        }
    }
    out
}

/// The reference, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         This page is made from the table of keys in `src/config/keys.rs`; \
         `UPDATE_DOCS=1 cargo test --test cli_config` writes it anew.\n\n\
         Values come from four levels, and a later one wins:\n\n\
         1. the defaults below;\n\
         2. the file `icpgate.toml` in the working directory, or the one named with \
         `--config FILE`, which must then be there;\n\
         3. environment variables `ICPGATE_SECTION__KEY`, with two underscores between section \
         and key;\n\
         4. flags: `--set section.key=value`, and the shorter flags of single commands.\n\n\
         Of `store.path`, `store.url` and `store.url_file`, of `policy.name` and `policy.file`, and \
         of `auth.jwks_file` and `auth.jwks_url`, one level may give one; the one of the higher \
         level holds. So it is with every key and the key that names a file for its value, such as \
         `redis.urls` and `redis.urls_file`. A key that belongs to another one, such as \
         `store.read_url` to `store.url`, is an error without it. An unknown key is an error. All problems \
         are reported at once. `icpgate config print` shows the values that hold and where each \
         came from.\n",
    );
    for (section, about) in SECTIONS {
        let _ = writeln!(out, "\n## `[{section}]`\n\n{}", joined(about));
        for key in KEYS.iter().filter(|key| key.section == *section) {
            let default = match key.default {
                "" => "not set".to_owned(),
                default => format!("`{default}`"),
            };
            let _ = writeln!(
                out,
                "\n### `{}`\n\n{}\n\n- Value: {}\n- Default: {default}\n- Variable: `{}`",
                key.name,
                joined(key.description),
                key.expected,
                key.variable(),
            );
        }
    }
    out
}

fn joined(lines: &[&str]) -> String {
    let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Writes a comment in lines of at most 80 characters.
fn comment(out: &mut String, lines: &[&str]) {
    let mut line = String::from("#");
    for word in joined(lines).split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > 80 {
            out.push_str(&line);
            out.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
}
