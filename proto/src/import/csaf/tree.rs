//! `product_tree` (CSAF 2.0 §3.2.2): which product id means which maker, model and version.

use std::collections::{BTreeSet, HashMap};

use super::super::makers::Makers;
use super::super::node::{BadShape, Node};
use super::super::report::Report;
use super::helper;
use crate::claim::limits::MAX_IDS;
use crate::claim::normal::normalise;
use crate::claim::{Manufacturer, ProductId};

/// What a product's version is when its branch names none: all versions, in the notation of `vers`.
const ALL_VERSIONS: &str = "vers:all/*";
/// Relationships may build on each other; a chain longer than this is no product any more.
const MAX_RELATIONSHIP_PASSES: usize = 16;

/// The products of a document.
#[derive(Debug, Default)]
pub(super) struct Tree<'v> {
    /// Product names, in the order of the document; a claim is about one of them.
    pub(super) models: Vec<Model<'v>>,
    /// Product ids.
    pub(super) products: HashMap<&'v str, Product>,
    /// Product groups and their product ids.
    pub(super) groups: HashMap<&'v str, Vec<&'v str>>,
}

/// A product name of a maker.
#[derive(Debug)]
pub(super) struct Model<'v> {
    /// The maker as spelled; `None` when the document does not say.
    pub(super) maker: Option<&'v str>,
    /// Who that is.
    pub(super) manufacturer: Option<Manufacturer>,
    /// The product name as spelled.
    pub(super) name: &'v str,
    /// Ids from identification helpers.
    pub(super) ids: Vec<ProductId>,
}

/// A product id.
#[derive(Debug, Clone)]
pub(super) struct Product {
    /// Index in [`Tree::models`].
    pub(super) model: usize,
    /// The version, verbatim.
    pub(super) version: String,
}

/// The names on the way from the root of the tree to a branch.
#[derive(Debug, Clone, Default)]
struct Way<'v> {
    maker: Option<&'v str>,
    family: Option<&'v str>,
    name: Option<&'v str>,
    /// Version first, then what narrows it, such as a service pack.
    version: Vec<&'v str>,
}

struct Reader<'v, 'c> {
    makers: &'c Makers,
    /// The publisher, when it is a vendor.
    vendor: Option<&'v str>,
    notes: &'c mut Report,
    tree: Tree<'v>,
    /// Models by maker and name as they are compared.
    known: HashMap<(String, String), usize>,
}

/// Reads the tree; an absent one has no products.
pub(super) fn read<'v>(
    node: Option<Node<'v>>,
    makers: &Makers,
    vendor: Option<&'v str>,
    notes: &mut Report,
) -> Result<Tree<'v>, BadShape> {
    let Some(node) = node else { return Ok(Tree::default()) };
    let members = node.object()?;
    let mut reader = Reader { makers, vendor, notes, tree: Tree::default(), known: HashMap::new() };
    for branch in members.items("branches")? {
        reader.branch(&branch, &Way::default())?;
    }
    for product in members.items("full_product_names")? {
        reader.product(&product, &Way::default())?;
    }
    reader.relationships(&members.items("relationships")?)?;
    for group in members.items("product_groups")? {
        let group = group.object()?;
        reader.tree.groups.insert(group.text("group_id")?, group.texts("product_ids")?);
    }
    super::left_over(&members, "product_tree", reader.notes);
    Ok(reader.tree)
}

impl<'v> Reader<'v, '_> {
    /// The depth of branches is bounded by the depth of the JSON.
    fn branch(&mut self, node: &Node<'v>, way: &Way<'v>) -> Result<(), BadShape> {
        let members = node.object()?;
        let name = members.text("name")?;
        let mut way = way.clone();
        match members.text("category")? {
            "vendor" => way.maker = Some(name),
            "product_family" => way.family = Some(name),
            "product_name" => way.name = Some(name),
            "product_version" | "product_version_range" => way.version.insert(0, name),
            // architecture, host_name, language, legacy, patch_level, service_pack, specification (§3.1.2.3.1)
            _ => way.version.push(name),
        }
        if let Some(product) = members.optional("product") {
            self.product(&product, &way)?;
        }
        for branch in members.items("branches")? {
            self.branch(&branch, &way)?;
        }
        super::left_over(&members, "branches", self.notes);
        Ok(())
    }

    /// A full product name (§3.1.3), in a branch or alone.
    fn product(&mut self, node: &Node<'v>, way: &Way<'v>) -> Result<(), BadShape> {
        let members = node.object()?;
        let id = members.text("product_id")?;
        let name = way.name.or(way.family).map_or_else(|| members.text("name"), Ok)?;
        let ids = members.optional("product_identification_helper");
        let ids = ids.map_or(Ok(Vec::new()), |helper| helper::ids(&helper, self.notes))?;
        let model = self.model(way.maker.or(self.vendor), name, ids);
        let version = if way.version.is_empty() { ALL_VERSIONS.to_owned() } else { way.version.join(" ") };
        self.define(node, id, Product { model, version })
    }

    fn define(&mut self, node: &Node<'v>, id: &'v str, product: Product) -> Result<(), BadShape> {
        match self.tree.products.insert(id, product) {
            Some(_) => Err(node.bad(format!("the product id {id} is defined twice (CSAF 2.0 §6.1.2)"))),
            None => Ok(()),
        }
    }

    /// The model of this maker and name; spellings that are compared as one are one.
    fn model(&mut self, maker: Option<&'v str>, name: &'v str, ids: Vec<ProductId>) -> usize {
        let manufacturer = maker.map(|maker| self.makers.place(maker));
        let maker_key = manufacturer.as_ref().map(Manufacturer::key).unwrap_or_default();
        let models = &mut self.tree.models;
        let at = *self.known.entry((maker_key, normalise(name))).or_insert_with(|| {
            models.push(Model { maker, manufacturer, name, ids: Vec::new() });
            models.len() - 1
        });
        for id in ids {
            let known = &mut models[at].ids;
            let is_known = known.iter().any(|k| (k.scheme, &k.normalised) == (id.scheme, &id.normalised));
            match (is_known, known.len() < MAX_IDS) {
                (true, _) => {}
                (false, true) => known.push(id),
                (false, false) => {
                    self.notes.not_mapped("product ids", "more than 64 ids of one product; the document has them");
                }
            }
        }
        at
    }

    /// `relationships` (§3.2.2.4): a product as part of, or installed on, another. The claim is about the other, the
    /// thing that somebody owns; the relationship's own name is the version, since it says what of the thing is meant.
    fn relationships(&mut self, nodes: &[Node<'v>]) -> Result<(), BadShape> {
        let mut open: Vec<&Node<'v>> = nodes.iter().collect();
        for _ in 0..MAX_RELATIONSHIP_PASSES {
            let mut later = Vec::new();
            for node in open {
                let members = node.object()?;
                let whole = members.text("relates_to_product_reference")?;
                let Some(model) = self.tree.products.get(whole).map(|product| product.model) else {
                    later.push(node);
                    continue;
                };
                let full = members.required("full_product_name")?;
                let name = full.object()?;
                let product = Product { model, version: name.text("name")?.to_owned() };
                self.define(&full, name.text("product_id")?, product)?;
            }
            open = later;
            if open.is_empty() {
                return Ok(());
            }
        }
        match open.first() {
            Some(node) => {
                Err(node.bad("the product it relates to is not defined, or the relationships go in a circle"))
            }
            None => Ok(()),
        }
    }
}

impl<'v> Tree<'v> {
    /// The product ids that a member of a vulnerability names, directly and by group; `None` when it names neither.
    pub(super) fn named(
        &self,
        members: &super::Members<'v>,
        products: &'static str,
    ) -> Result<Option<BTreeSet<&'v str>>, BadShape> {
        let ids = members.optional(products).map(|node| node.texts()).transpose()?;
        let groups = members.optional("group_ids").map(|node| node.texts()).transpose()?;
        if ids.is_none() && groups.is_none() {
            return Ok(None);
        }
        let of_groups = groups.unwrap_or_default().into_iter().filter_map(|group| self.groups.get(group)).flatten();
        Ok(Some(ids.unwrap_or_default().into_iter().chain(of_groups.copied()).collect()))
    }
}
