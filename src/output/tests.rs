use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::output::*;

fn is_page(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("page"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// All names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A staged folder with one page.
fn book(at: &Path, content: &str) -> Staged {
    let staged = Staged::new(Destination::folder(at, is_page).unwrap()).unwrap();
    staged
        .create("page1")
        .unwrap()
        .write_all(content.as_bytes())
        .unwrap();
    staged
}

fn file(at: &Path, content: &str) -> Staged {
    let staged = Staged::new(Destination::file(at).unwrap()).unwrap();
    staged
        .file()
        .unwrap()
        .write_all(content.as_bytes())
        .unwrap();
    staged
}

#[test]
fn outputs_take_their_places_and_leave_nothing_else() {
    let dir = TempDir::new().unwrap();
    for round in ["one", "two"] {
        write(
            Destination::file(&dir.path().join("new/a.txt")).unwrap(),
            round.as_bytes(),
        )
        .unwrap();
        book(&dir.path().join("new/book"), round).commit().unwrap();
        assert_eq!(text(&dir.path().join("new/a.txt")), round);
        assert_eq!(text(&dir.path().join("new/book/page1")), round);
    }
    assert_eq!(names(&dir.path().join("new")), ["a.txt", "book"]);
}

#[test]
fn what_is_not_committed_leaves_nothing_not_even_the_folders_above() {
    let dir = TempDir::new().unwrap();
    let staged = [
        file(&dir.path().join("a/b/c.txt"), "half"),
        book(&dir.path().join("a/d/book"), "half"),
    ];
    assert_eq!(
        names(&dir.path().join("a")),
        ["b", "d"],
        "the negative control: there was something to remove"
    );
    drop(staged);
    assert!(names(dir.path()).is_empty());
}

#[test]
fn several_outputs_take_their_places_together_or_none_does() {
    let dir = TempDir::new().unwrap();
    let paths = ["one.txt", "two.txt", "three.txt"].map(|name| dir.path().join(name));
    fs::write(&paths[0], "before").unwrap();
    let staged = || {
        paths
            .iter()
            .map(|path| file(path, "after"))
            .collect::<Vec<_>>()
    };
    // A folder that appears at one of the names after it was checked.
    let waiting = staged();
    fs::create_dir(&paths[2]).unwrap();
    assert!(commit(waiting).is_err());
    // One that appears even later: the others are put back.
    fs::remove_dir(&paths[2]).unwrap();
    let mut waiting = staged();
    fs::remove_file(waiting[2].temporary_path()).unwrap();
    assert!(commit(std::mem::take(&mut waiting)).is_err());
    assert_eq!(
        (text(&paths[0]), paths[1].exists(), paths[2].exists()),
        ("before".into(), false, false)
    );
    assert_eq!(names(dir.path()), ["one.txt"]);
    commit(staged()).unwrap();
    assert!(paths.iter().all(|path| text(path) == "after"));
    assert_eq!(names(dir.path()).len(), 3);
}

#[test]
fn a_folder_with_anything_else_is_refused_by_name_and_untouched() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("book");
    book(&at, "before").commit().unwrap();
    let staged = book(&at, "after");
    for foreign in ["notes.txt", "page2"] {
        // What has the right name and is a folder does not belong either.
        let path = at.join(foreign);
        if foreign == "page2" {
            fs::create_dir(&path).unwrap()
        } else {
            fs::write(&path, "mine").unwrap()
        }
        let message = Destination::folder(&at, is_page).unwrap_err().to_string();
        assert!(
            message.contains(foreign) && message.contains("nothing was touched"),
            "{message}"
        );
        if foreign == "notes.txt" {
            fs::remove_file(&path).unwrap()
        }
    }
    // It is noticed as well when it appears while the output is written.
    assert!(matches!(staged.commit(), Err(OutputError::Foreign { .. })));
    assert_eq!(text(&at.join("page1")), "before");
    assert_eq!(names(dir.path()), ["book"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_stay() {
    use std::os::unix::fs::symlink;
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    fs::write(dir.path().join("real/a.txt"), "before").unwrap();
    book(&dir.path().join("real/book"), "before")
        .commit()
        .unwrap();
    symlink("real/a.txt", dir.path().join("a.txt")).unwrap();
    symlink("real/book", dir.path().join("book")).unwrap();
    file(&dir.path().join("a.txt"), "after").commit().unwrap();
    book(&dir.path().join("book"), "after").commit().unwrap();
    assert_eq!(text(&dir.path().join("real/a.txt")), "after");
    assert_eq!(text(&dir.path().join("real/book/page1")), "after");
    assert!(dir.path().join("a.txt").is_symlink() && dir.path().join("book").is_symlink());
    assert_eq!(
        (
            names(dir.path()).len(),
            names(&dir.path().join("real")).len()
        ),
        (3, 2)
    );
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    let message = Destination::file(&dir.path().join("dangling"))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("a link to something that is not there"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_written_is_refused_before() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    for path in ["", ".", "..", "/", "a/.."] {
        assert!(
            matches!(
                Destination::folder(Path::new(path), is_page),
                Err(OutputError::NoName { .. })
            ),
            "{path}"
        );
    }
    let refusal = |path: &str| {
        Destination::file(&dir.path().join(path))
            .unwrap_err()
            .to_string()
    };
    fs::create_dir(dir.path().join("folder")).unwrap();
    assert!(
        refusal("folder").contains("is a folder, and a file is to be written"),
        "{}",
        refusal("folder")
    );
    assert!(
        refusal("file/below").contains("file/below"),
        "{}",
        refusal("file/below")
    );
    let message = Destination::folder(&dir.path().join("file"), is_page)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("is a file, and a folder is to be written"),
        "{message}"
    );
    #[cfg(target_os = "linux")]
    for path in ["/proc/x", "/dev/null/x", "/proc/self/fd"] {
        assert!(Destination::file(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(names(dir.path()), ["file", "folder"]);
}

#[cfg(unix)]
#[test]
fn outputs_that_are_inputs_are_refused_under_any_name() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::create_dir(at("logs")).unwrap();
    fs::write(at("logs/a.csv"), "a").unwrap();
    fs::hard_link(at("logs/a.csv"), at("hard.csv")).unwrap();
    std::os::unix::fs::symlink("logs/a.csv", at("soft.csv")).unwrap();
    std::os::unix::fs::symlink("logs", at("link")).unwrap();
    let check = |inputs: &[PathBuf], outputs: &[PathBuf]| {
        let mut read = Inputs::default();
        inputs.iter().for_each(|path| read.add(path));
        let outputs: Vec<Destination> = outputs
            .iter()
            .map(|path| Destination::file(path).unwrap())
            .collect();
        check_apart(&outputs, &read)
    };
    for name in ["logs/a.csv", "hard.csv", "soft.csv", "link/a.csv"] {
        assert!(
            matches!(
                check(&[at("logs/a.csv")], &[at(name)]),
                Err(OutputError::IsInput { .. })
            ),
            "{name}"
        );
    }
    for name in ["logs/b.csv", "link/deep/b.csv"] {
        assert!(
            matches!(
                check(&[at("logs")], &[at(name)]),
                Err(OutputError::InInput { .. })
            ),
            "{name}"
        );
        check(&[at("logs/a.csv")], &[at(name)]).unwrap();
    }
    // Readers pass over such names.
    check(
        &[at("logs")],
        &[at("logs/_out/b.csv"), at("logs/.b.csv"), at("logs2.csv")],
    )
    .unwrap();
    let folder = Destination::folder(&at("logs"), |_| true).unwrap();
    let mut read = Inputs::default();
    read.add(&at("soft.csv"));
    assert!(
        matches!(
            check_apart(&[folder], &read),
            Err(OutputError::IsInput { .. })
        ),
        "it holds the input"
    );
    for other in ["x.csv", "./x.csv", "x.csv/y.csv"] {
        let outputs = [at("x.csv"), at(other)];
        assert!(
            matches!(check(&[], &outputs), Err(OutputError::Collision { .. })),
            "{other}"
        );
    }
}

#[cfg(unix)]
#[test]
fn what_a_killed_process_left_is_removed_and_nothing_else() {
    use std::os::unix::fs::symlink;
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at(".ebb-abcdefGHI123.tmp"), "left").unwrap();
    fs::create_dir(at(".ebb-0bcdefGHI123.tmp")).unwrap();
    fs::write(at(".ebb-0bcdefGHI123.tmp/page1"), "left").unwrap();
    // Somebody else's: other names, a link, a folder with a folder in it.
    let others = [
        ".ebb-short.tmp",
        ".ebb-abcdefGHI12!.tmp",
        ".m.old",
        "ebb-abcdefGHI123.tmp",
    ];
    others
        .iter()
        .for_each(|name| fs::write(at(name), "mine").unwrap());
    symlink(".m.old", at(".ebb-abcdefGHI124.tmp")).unwrap();
    fs::create_dir_all(at(".ebb-abcdefGHI125.tmp/deep")).unwrap();
    let in_use = [file(&at("a.txt"), "in use"), book(&at("book"), "in use")];
    assert_eq!(names(dir.path()).len(), others.len() + 2 + in_use.len());
    // Another output leaves alone what is still being written.
    file(&at("b.txt"), "").commit().unwrap();
    in_use
        .into_iter()
        .for_each(|staged| staged.commit().unwrap());
    let mut expected: Vec<&str> = [
        &others[..],
        &[".ebb-abcdefGHI124.tmp", ".ebb-abcdefGHI125.tmp"],
    ]
    .concat();
    expected.extend(["a.txt", "b.txt", "book"]);
    expected.sort_unstable();
    assert_eq!(names(dir.path()), expected);
    assert_eq!(text(&at(".m.old")), "mine");
}

#[cfg(unix)]
#[test]
fn permissions_follow_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // What the umask of this process makes of a plain file and folder.
    File::create(dir.path().join("plain")).unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    file(&dir.path().join("a.txt"), "").commit().unwrap();
    book(&dir.path().join("book"), "").commit().unwrap();
    assert_eq!(
        mode(dir.path().join("a.txt")),
        mode(dir.path().join("plain"))
    );
    assert_eq!(
        mode(dir.path().join("book")),
        mode(dir.path().join("folder"))
    );
    assert_eq!(
        mode(dir.path().join("book/page1")),
        mode(dir.path().join("plain"))
    );
}

#[test]
fn the_way_in_steps_exchanges_files_and_folders_and_puts_back() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("a"), "1").unwrap();
    fs::write(at("b"), "2").unwrap();
    system::exchange_in_steps(&at("a"), &at("b")).unwrap();
    assert_eq!((text(&at("a")), text(&at("b"))), ("2".into(), "1".into()));
    book(&at("x"), "1").commit().unwrap();
    book(&at("y"), "2").commit().unwrap();
    system::exchange_in_steps(&at("x"), &at("y")).unwrap();
    assert_eq!(
        (text(&at("x/page1")), text(&at("y/page1"))),
        ("2".into(), "1".into())
    );
    for (missing, there) in [("none", "y"), ("none", "b")] {
        assert!(system::exchange_in_steps(&at(missing), &at(there)).is_err());
        assert!(at(there).exists(), "{there} is where it was");
    }
    assert_eq!(names(dir.path()), ["a", "b", "x", "y"]);
}

/// Many writers to one pair of files: it is always a pair of one writer.
#[test]
fn writers_to_one_place_take_turns() {
    let dir = TempDir::new().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let write_pair = |writer: usize| {
        for round in 0..20 {
            let content = format!("{writer} {round}");
            commit(vec![file(&a, &content), file(&b, &content)]).unwrap();
            let _held = hold([&Destination::file(&a).unwrap()]);
            assert_eq!(text(&a), text(&b), "one is of another writer");
        }
    };
    std::thread::scope(|scope| {
        let write_pair = &write_pair;
        (0..4).for_each(|writer| drop(scope.spawn(move || write_pair(writer))));
    });
    assert_eq!(names(dir.path()), ["a", "b"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_is_there_at_every_moment() {
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("book");
    book(&at, "0").commit().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let (seen, looks) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut looks) = (0, 0);
            while !done.load(std::sync::atomic::Ordering::Acquire) {
                looks += 1;
                seen += usize::from(at.is_dir());
            }
            (seen, looks)
        });
        (0..200).for_each(|round| book(&at, &round.to_string()).commit().unwrap());
        done.store(true, std::sync::atomic::Ordering::Release);
        reader.join().unwrap()
    });
    assert_eq!(seen, looks);
}
