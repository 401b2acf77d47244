"""Node types of sqlglot's trees: those that may stand in a query or a change of rows, and those that may not.

Calls (`exp.Func`) are not listed: what a call does is decided by its name in the text, not by the node that the parser
makes of it. A test holds both lists against the classes that sqlglot has; one that is in neither stops the statement.
"""

from __future__ import annotations

from sqlglot import exp

from rules.classify.mysql.words import word_set

UNDERSTOOD: frozenset[type[exp.Expr]] = frozenset(
    getattr(exp, name)
    for name in word_set(
        """
        Add Alias All Any AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr
        BitwiseRightShift BitwiseXor Boolean CTE CharacterSet Column DPipe DataType DataTypeParam Delete
        Distinct Div Dot EQ Escape Except Fetch FormatJson From GT GTE Group Having HexString Identifier
        IgnoreNulls In Insert IntDiv Intersect Interval IntervalSpan Introducer Is JSON JSONColumnDef
        JSONKeyValue JSONPath JSONPathKey JSONPathRoot JSONPathSubscript JSONPathWildcard JSONPathRecursive
        JSONPathSlice JSONPathSelector JSONPathUnion JSONPathFilter JSONPathScript JSONSchema JSONValue Join LT
        LTE Lateral Like Limit LimitOptions Literal Mod Mul NEQ National Neg Not Null NullSafeEQ Offset
        OnCondition OnConflict Order Ordered Parameter Paren Partition Placeholder PropertyEQ RespectNulls
        Returning Rollup Schema Select SessionParameter Star Sub Subquery Table TableAlias Tuple Union Update
        Values Var Where Window WindowSpec With WithinGroup NestedJSONSelect
        """
    )
)

REFUSED = word_set(
    """
    AddConstraint AddPartition Adjacent AggregateKeyProperty AlgorithmProperty Aliases AllowedValuesProperty Alter
    AlterColumn AlterDistStyle AlterIndex AlterModifySqlSecurity AlterRename AlterSession AlterSet AlterSortKey
    Analyze AnalyzeColumns AnalyzeDelete AnalyzeHistogram AnalyzeListChainedRows AnalyzeSample AnalyzeStatistics
    AnalyzeValidate AnalyzeWith ApiProperty ApplicationProperty AssumeColumnConstraint AtIndex Attach AttachOption
    AutoIncrementColumnConstraint AutoIncrementProperty AutoRefreshProperty BackupProperty Binary
    BinaryColumnConstraint Block BlockCompressionProperty Bracket BuildProperty ByteString Cache
    CalledOnNullInputProperty CaseSpecificColumnConstraint CaseStatement CatalogProperty Changes
    CharacterSetColumnConstraint CharacterSetProperty Check CheckColumnConstraint ChecksumProperty Clone Cluster
    ClusterProperty ClusteredByProperty ClusteredColumnConstraint CollateColumnConstraint CollateProperty
    ColumnConstraint ColumnConstraintKind ColumnDef ColumnPosition ColumnPrefix Command Comment
    CommentColumnConstraint Commit Comprehension CompressColumnConstraint ComputeProperty ComputedColumnConstraint
    Condition ConditionalInsert Connect ConnectTo Connector Constraint Copy CopyGrantsProperty CopyParameter
    CopyTagsProperty Create Credentials CredentialsProperty Cube DDL DML DataBlocksizeProperty DataDeletionProperty
    DatabaseProperty DateFormatColumnConstraint Declare DeclareItem DefaultColumnConstraint DefinerProperty
    DerivedTable Describe Detach DictProperty DictRange DictSubProperty Directory DirectoryStage Disconnect
    DistKeyProperty DistStyleProperty Distance DistanceNd Distribute DistributedByProperty Drop DropPartition
    DropPrimaryKey DuplicateKeyProperty DynamicProperty EmptyProperty EncodeColumnConstraint EncodeProperty
    EndStatement EngineProperty EnviromentProperty EphemeralColumnConstraint ExcludeColumnConstraint Execute
    ExecuteAsProperty ExecuteSql ExplodeOuter Export Expr Expression ExtendsLeft ExtendsRight ExternalProperty
    FallbackProperty FileFormatProperty Filter Final ForClause ForIn ForceProperty ForeignKey FormatPhrase
    FreespaceProperty FromTimeZone FunctionSpecification GeneratedAsIdentityColumnConstraint
    GeneratedAsRowColumnConstraint Get Glob GlobalProperty Grant GrantPrincipal GrantPrivilege GroupingSets
    HandlerProperty HavingMax HeapProperty Heredoc Hint HistoricalData HybridProperty ILike IcebergProperty IfBlock
    IgnoreGrantsProperty InOutColumnConstraint IncludeProperty Index IndexColumnConstraint IndexConstraintOption
    IndexParameters IndexTableHint InheritsProperty InlineLengthColumnConstraint InputModelProperty
    InputOutputFormat Install InteractiveProperty IntervalOp Into InvisibleColumnConstraint IsolatedLoadingProperty
    Iterate JSONExtractQuote JSONPathPart JoinHint JournalProperty Kill Kwarg Lambda LanguageProperty Leave
    LikeProperty ListStage LoadData LocationProperty Lock LockProperty LockingProperty LockingStatement LogProperty
    LoopBlock MacroOverload MacroOverloads MaskingPolicyColumnConstraint MaskingProperty Match MatchRecognize
    MatchRecognizeMeasure MaterializedProperty Merge MergeBlockRatioProperty MergeTreeTTL MergeTreeTTLAction
    ModelAttribute ModifyColumn ModuleProperty MultitableInserts Nearest NetworkProperty NoPrimaryIndexProperty
    NonClusteredColumnConstraint NotForReplicationColumnConstraint NotNullColumnConstraint NullSafeNEQ
    ObjectIdentifier OnCluster OnCommitProperty OnProperty OnUpdateColumnConstraint Opclass OpenJSONColumnDef
    Operator OptionsProperty OutputModelProperty OverflowTruncateBehavior Overlaps ParameterStyleProperty
    PartitionBoundSpec PartitionByExcluding PartitionByListProperty PartitionByRangeProperty
    PartitionByRangePropertyDynamic PartitionByTruncate PartitionId PartitionList PartitionRange PartitionedByBucket
    PartitionedByProperty PartitionedOfProperty PathColumnConstraint Per PeriodForSystemTimeConstraint
    PhysicalProperty Pivot PivotAlias PivotAny PositionalColumn Pragma PreWhere Predicate PrimaryKey
    PrimaryKeyColumnConstraint Prior ProjectionDef ProjectionPolicyColumnConstraint Properties Property PseudoType
    Pseudocolumn Put Qualify Query QueryBand QueryOption QueryTransform RawString RecursiveWithSearch Reference
    Refresh RefreshTriggerProperty RemoteWithConnectionModelProperty RenameColumn RenameIndex RepeatBlock
    ReplaceColumns ReplacePartition Return ReturnsProperty Revoke Rollback RollupIndex RollupProperty
    RowAccessProperty RowFormatDelimitedProperty RowFormatProperty RowFormatSerdeProperty SampleProperty
    SchemaCommentProperty ScopeResolution SecureProperty SecurityIntegrationProperty Selectable SemanticView
    Semicolon SequenceProperties SerdeProperties Set SetConfigProperty SetItem SetOperation SetProperty
    SettingsProperty SharingProperty Show SimilarTo SkipJSONColumn Slice Sort SortKeyProperty SqlReadWriteProperty
    SqlSecurityProperty StabilityProperty StorageHandlerProperty StorageProperty StoredProcedure Stream
    StreamingTableProperty StrictProperty SubqueryPredicate Summarize SwapTable TableColumn TableFromRows
    TableSample TableSpaceProperty Tag Tags TemporaryProperty TimeUnit TimeseriesKey TitleColumnConstraint
    ToTableProperty Transaction TransformModelProperty TransientProperty TranslateCharacters TriggerEvent
    TriggerExecute TriggerProperties TriggerReferencing TruncateTable UDTF Unary Uncache Undrop UnicodeString
    UniqueColumnConstraint UniqueKeyProperty UnloggedProperty UnpivotColumns UppercaseColumnConstraint Use
    UserDefinedFunction UsingData UsingProperty UsingTemplateProperty UuidProperty Variadic Version
    ViewAttributeProperty VirtualProperty VolatileProperty WatermarkColumnConstraint When Whens WhileBlock
    WithDataProperty WithFill WithJournalTableProperty WithOperator WithProcedureOptions WithSchemaBindingProperty
    WithSystemVersioningProperty WithTableHint XMLKeyValueOption XMLNamespace ZeroFillColumnConstraint
    """
)
"""Names of node types that no query of MySQL or MariaDB needs, looked at one by one."""
